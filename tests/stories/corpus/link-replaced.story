The link is not a link any more

An editor has saved a regular file in the place of the link. Then blue fails.

Timeline
  20s         somebody replaces the link by a file
  40s..       blue: refused
  3m          end

Right answer
  no switch
  hold link_unmanaged between 20s and 23s
  event hold_entered gate=link_unmanaged wanted=true between 41s and 44s

Because what is not ours is left alone, and reported: when it is found, and again when users see errors.
