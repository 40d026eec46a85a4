/** Ids of availability zones. Unlike names, they are the same for every account. Pure. */

const LETTER_A = 'a'.charCodeAt(0)

/**
 * The id of a zone in EC2's form: `use1-az1` for `us-east-1a`. It is derived from the zone's name
 * alone, so all hosts agree, and it is unique in its region. A zone whose name does not begin with
 * its region's name, or does not end with a letter, has its name as id.
 * https://docs.aws.amazon.com/ram/latest/userguide/working-with-az-ids.html
 */
export function zoneId(zone: string, region: string): string {
  const rest = zone.startsWith(region) ? zone.slice(region.length) : ''
  const [, number = '', letter] = (/\d$/.test(region) ? BARE : NUMBERED).exec(rest) ?? []
  if (letter === undefined) return `${zone}-az0`
  return `${shortened(region)}${number}-az${letter.charCodeAt(0) - LETTER_A + 1}`
}

/** What follows the region's name in a zone's name: `a` of `us-east-1a`, `-1a` of `atoll-1a`. */
const BARE = /^()([a-z])$/
const NUMBERED = /^-(\d+)([a-z])$/

/**
 * `us-east-1` → `use1`: the whole first word, the first letters of the others, and whole numbers.
 */
function shortened(region: string): string {
  const [first = '', ...others] = region.split('-')
  return [first, ...others.map((word) => (/^\d/.test(word) ? word : word.slice(0, 1)))].join('')
}
