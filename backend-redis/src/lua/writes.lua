-- What is written at the end: fields with what they become; members of the index that come, each
-- behind its score, and that go; and by field who holds an external id by now, or that it goes.
local sets, new, out, holders = {}, {}, {}, nil
-- More than any instant, and than the distance of any from it.
local APART = 1125899906842624
