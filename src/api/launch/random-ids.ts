/** The random ids and numbers of one launch. */
import { type Mac, macFromRandom } from '../../model/addr.ts'
import type { NewId } from '../../model/ids.ts'

/** Random bytes of a MAC (`macFromRandom`). */
const MAC_BYTES = 5

export interface RandomIds {
  readonly id: NewId
  mac(): Mac
  /** A non-negative integer for choices. */
  number(): number
}

/** Creates ids and numbers from `random` bytes. */
export function createRandomIds(id: NewId, random: (bytes: number) => Uint8Array): RandomIds {
  return {
    id,
    mac: () => macFromRandom(random(MAC_BYTES)),
    number: () => Buffer.from(random(4)).readUInt32BE(),
  }
}
