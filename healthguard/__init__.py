"""healthguard: makes nginx use the other upstream when the active one is really down."""

__version__ = "0.1.0"
