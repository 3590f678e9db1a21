A veto that lasts becomes a question

The database probe of the operator says that the database is down, for minutes. Either that is so,
or the probe is wrong and blue really is the trouble. A person has to say.

Setup
  dependency: database

Timeline
  20s..220s   database: refused
  20s..220s   blue: 503
  6m          end

Right answer
  no switch
  hold dependency_down between 23s and 27s
  proposal blue->green between 139s and 152s
  proposal closed between 220s and 240s

Because a veto for ever would be blindness and acting against it would be a gamble: after two
minutes it is a proposal, and with the recovery it ends.
