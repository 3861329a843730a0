/** Runs that once violated something, each with what they found; every round of the tests plays them again. */
export const cases: readonly Readonly<{ seed: number; run: number; found: string }>[] = [
  {
    seed: 1,
    run: 475,
    found:
      'a follower was defragmented two seconds after the last look: the question after the lock had waited for a member that was stopped, the very one defragmented before',
  },
]
