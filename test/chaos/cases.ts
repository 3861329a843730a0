/** Runs that once violated something, each with what they found; every round of the tests plays them again. */
export const cases: readonly Readonly<{ seed: number; run: number; found: string }>[] = []
