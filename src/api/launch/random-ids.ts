/** What a launch draws by chance. */
import { type Mac, macFromRandom } from '../../model/addr.ts'
import type { NewId } from '../../model/ids.ts'

/** Random bytes of a MAC (`macFromRandom`). */
const MAC_BYTES = 5

export interface Draw {
  readonly id: NewId
  mac(): Mac
  /** A non-negative integer to choose by. */
  number(): number
}

/** Draws from `random` bytes. */
export function createDraw(id: NewId, random: (bytes: number) => Uint8Array): Draw {
  return {
    id,
    mac: () => macFromRandom(random(MAC_BYTES)),
    number: () => Buffer.from(random(4)).readUInt32BE(),
  }
}
