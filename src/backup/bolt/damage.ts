/** A database that is not as bbolt writes it. The only error that reading one throws. */
export class Damage extends Error {
  override readonly name = 'Damage'
  readonly page: number
  /** First and last byte of the file that it is about. */
  readonly from: number
  readonly to: number
  readonly problem: string

  /** `pages`: how many from `page` on, with those that its overflow covers. */
  constructor(page: number, pageSize: number, problem: string, pages = 1) {
    const [from, to] = [page * pageSize, (page + pages) * pageSize - 1]
    super(`page ${page} (bytes ${from} to ${to}): ${problem}`)
    this.page = page
    this.from = from
    this.to = to
    this.problem = problem
  }
}

export type Fail = (problem: string) => Damage
