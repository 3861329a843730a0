import { type CronFieldError, validateDetailed } from 'node-cron'
import type { Schedule } from '../model/schedule.js'

const EXPECTED = "expected the five fields of crontab(5), such as '30 2 * * *' for 02:30 each day"

/**
 * The schedule that a text names. Of what node-cron reads only the five fields of crontab(5) are taken: seconds, `L`,
 * `W`, `#`, `?` and names such as `@daily` mean other things elsewhere. Throws Error with what was expected.
 */
export function scheduleOf(text: string): Schedule {
  const words = text.trim().split(/\s+/)
  const quoted = JSON.stringify(text.slice(0, 60))
  if (words.length === 6)
    throw new Error(
      `is ${quoted}, of six fields; a daemon that looks each minute knows no seconds, ${EXPECTED}`,
    )
  if (words.length !== 5) throw new Error(`is ${quoted}; ${EXPECTED}`)
  // node-cron takes it for an asterisk, which as a day of the month makes one weekday every day (`eitherDay`).
  if (text.includes('?')) throw new Error(`is ${quoted}, and ? is nothing of crontab(5); ${EXPECTED}`)
  const { fields, errors } = validateDetailed(words.join(' '))
  if (fields === undefined || errors.length > 0)
    throw new Error(`is ${quoted}, and ${wrong(errors)}; ${EXPECTED}`)
  return {
    text: words.join(' '),
    minutes: fields.minute,
    hours: fields.hour,
    daysOfMonth: plain(fields.dayOfMonth, quoted),
    months: fields.month,
    daysOfWeek: plain(fields.dayOfWeek, quoted),
    // crontab(5): a field that begins with an asterisk restricts nothing.
    eitherDay: !words[2]?.startsWith('*') && !words[4]?.startsWith('*'),
  }
}

const wrong = ([first]: readonly CronFieldError[]): string =>
  first === undefined ? 'something in it is wrong' : `its ${first.field} ${first.value} cannot be`

function plain(field: readonly (number | string)[], quoted: string): readonly number[] {
  return field.map(value => {
    if (typeof value === 'string')
      throw new Error(`is ${quoted}, and ${value} is no day of crontab(5); ${EXPECTED}`)
    return value
  })
}
