/** How much of requests' bodies may be on its way into memory, of one address and of all. */

export interface BodyLimits {
  /** Largest request body, in bytes: what a body that does not tell its length counts for. */
  readonly bodyBytes: number
  /** Bytes of all bodies that are being received. */
  readonly receivedBytes: number
  /** The same, of one address. */
  readonly receivedBytesOfOne: number
}

export interface Bodies {
  /** Takes room for a body; null when there is none. What is returned gives it back, once. */
  take(remote: string, length: string | undefined): (() => void) | null
}

/** Nothing is being received. */
export function createBodies(limits: BodyLimits): Bodies {
  const of = new Map<string, number>()
  let all = 0
  return {
    take(remote, length) {
      const stated = length === undefined ? limits.bodyBytes : Number(length)
      // More than that is refused by whoever reads it, before it reads.
      const bytes = Math.min(Number.isNaN(stated) ? limits.bodyBytes : stated, limits.bodyBytes)
      const mine = of.get(remote) ?? 0
      if (all + bytes > limits.receivedBytes || mine + bytes > limits.receivedBytesOfOne)
        return null
      all += bytes
      of.set(remote, mine + bytes)
      let given = false
      return () => {
        if (given) return
        given = true
        all -= bytes
        const left = (of.get(remote) ?? bytes) - bytes
        if (left === 0) of.delete(remote)
        else of.set(remote, left)
      }
    },
  }
}
