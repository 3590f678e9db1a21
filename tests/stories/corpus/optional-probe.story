One of two probes fails, and one is enough

The documentation page of blue is gone; the health page is fine. The operator requires one of the
two probes.

Setup
  probes: health, docs
  require: 1

Timeline
  20s..       blue/docs: 404
  2m          end

Right answer
  no switch
  blue is up at 1m

Because that is what the operator asked for.
