A pause of the garbage collector

Blue stops the world for two and a half seconds to collect garbage, then answers everything that
has waited.

Timeline
  20s..22.5s  blue: frozen
  2m          end

Right answer
  no switch
  no hold

Because it is over before a switch would have helped: `min_down` is there for this.
