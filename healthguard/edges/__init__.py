"""One outside thing each; exceptions become values here. May import only healthguard.core."""
