/** Attributes of netlink messages (netlink(7)): what all families have of them. Pure. */
import { parseAttributes } from 'netlink'

/** The attributes by type; of several of one type the last. */
export function attributesOf(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>()
  parseAttributes(bytes, (item) => found.set(item.type, item.data))
  return found
}

/** A number as netlink has it, in the machine's own byte order. */
export function uint32(value: number): Buffer {
  return Buffer.from(Uint32Array.of(value).buffer)
}
