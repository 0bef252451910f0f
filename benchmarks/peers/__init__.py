"""Other WebRTC stacks, each behind the same two interfaces: a peer that is told what to do by JSON lines,
and a pair that measures itself. `README.md` describes both; `install` brings the stacks here, `process` and
`browser` drive them.
"""
