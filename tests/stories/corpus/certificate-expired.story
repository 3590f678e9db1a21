The certificate on both has expired

At midnight the certificate that both colours use ends. Every check fails for the same reason.

Timeline
  20s..       blue: tls
  20s..       green: tls
  3m          end

Right answer
  no switch
  hold standby_not_up between 23s and 27s
  event hold_entered both_down=true between 23s and 27s

Because both failed together for a shared cause.
