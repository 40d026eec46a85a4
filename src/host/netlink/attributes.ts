/** Attributes of netlink messages (netlink(7)), which all families share. Pure. */
import { parseAttributes } from 'netlink'

/** The attributes by type. Of several with one type, the last. */
export function attributesOf(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>()
  parseAttributes(bytes, (item) => found.set(item.type, item.data))
  return found
}

/** A number in netlink's form: in the machine's byte order. */
export function uint32(value: number): Buffer {
  return Buffer.from(Uint32Array.of(value).buffer)
}
