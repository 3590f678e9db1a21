The host is suspended for nine minutes

A virtual machine is suspended and thawed. For a second and a half after that everything on it is
slow to wake.

Timeline
  60s..600s   the host is suspended
  599s..601.5s  blue: frozen
  599s..601.5s  green: frozen
  15m         end

Right answer
  no switch
  hold self_unhealthy between 600s and 602s
  hold self_unhealthy over between 600s and 606s

Because who has slept must not judge by what was late; fresh verdicts first.
