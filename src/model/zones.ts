/** Availability zones: their ids, which unlike their names are the same for every account. Pure. */

const LETTER_A = 'a'.charCodeAt(0)

/**
 * The id of a zone, as EC2 forms it: `use1-az1` for `us-east-1a`. It follows from the zone's name
 * alone, so that every host says the same; no two zones of a region have the same one. A zone whose
 * name does not begin with its region's, or does not end in a letter, is called by its own name.
 * https://docs.aws.amazon.com/ram/latest/userguide/working-with-az-ids.html
 */
export function zoneId(zone: string, region: string): string {
  const rest = zone.startsWith(region) ? zone.slice(region.length) : ''
  const [, number = '', letter] = (/\d$/.test(region) ? BARE : NUMBERED).exec(rest) ?? []
  if (letter === undefined) return `${zone}-az0`
  return `${shortened(region)}${number}-az${letter.charCodeAt(0) - LETTER_A + 1}`
}

/** What a zone's name adds to its region's: `us-east-1` + `a`, or `atoll` + `-1a`. */
const BARE = /^()([a-z])$/
const NUMBERED = /^-(\d+)([a-z])$/

/** `us-east-1` → `use1`: the first word whole, of the others the first letter, numbers whole. */
function shortened(region: string): string {
  const [first = '', ...others] = region.split('-')
  return [first, ...others.map((word) => (/^\d/.test(word) ? word : word.slice(0, 1)))].join('')
}
