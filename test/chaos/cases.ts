/** Runs that once violated something, each with what they found; every round of the tests plays them again. */
export const cases: readonly Readonly<{ seed: number; run: number; found: string }>[] = [
  {
    seed: 1,
    run: 475,
    found:
      'a follower was defragmented two seconds after the last look: the question after the lock had waited for a member that was stopped, the very one defragmented before',
  },
  {
    seed: 2,
    run: 72,
    found:
      'a follower was defragmented 300 ms after the leader had been killed: only members that the run had touched were looked at once more',
  },
  {
    seed: 3,
    run: 52,
    found:
      'a member that was killed in the middle of a Defragment without an answer counted as defragmented, since its file had had nothing to give back',
  },
  {
    seed: 5,
    run: 471,
    found:
      'nothing in the tool: a member was removed from the cluster while it was being defragmented and its process killed then, and the witness still waited for it',
  },
]
