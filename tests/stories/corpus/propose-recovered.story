Mode propose: recovered before anybody looked

Blue fails at night, a proposal opens; blue recovers; in the morning Alice approves what she finds in
her mail.

Setup
  mode: propose

Timeline
  20s..100s   blue: 500
  200s        alice: approve
  5m          end

Right answer
  proposal blue->green between 23s and 26s
  proposal closed between 100s and 112s
  order 1 fails
  no switch

Because an approval is judged again at that moment, and there is nothing to approve any more.
