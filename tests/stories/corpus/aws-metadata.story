Everybody asks one small service

Both colours must renew a lease at a metadata service. It gets slow, both time out, and both withdraw
their health.

Modelled on AWS DynamoDB, September 2015: storage servers that could not renew their membership in time
took themselves out of service, all at once.

Timeline
  20s..150s   blue: hang
  21s..150s   green: 503
  6m          end

Right answer
  no switch
  hold standby_not_up between 25s and 32s
  active is blue at 6m

Because neither is better than the other, and taking out one more does not help.
