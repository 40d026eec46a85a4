/** The part of the package `dhcp`, which has no types of its own, that tests use as an oracle. */
declare module 'dhcp/lib/protocol.js' {
  /** A message: options by number, values in the package's own forms. */
  export interface Message {
    readonly op: number
    readonly htype: number
    readonly hlen: number
    readonly hops: number
    readonly xid: number
    readonly secs: number
    readonly flags: number
    readonly ciaddr: string
    readonly yiaddr: string
    readonly siaddr: string
    readonly giaddr: string
    readonly chaddr: string
    readonly sname: string
    readonly file: string
    readonly options: Readonly<Record<number, unknown>>
  }
  const protocol: {
    parse(bytes: Buffer): Message
    /** A buffer and how much of it was written. */
    format(message: Message): { readonly _data: Buffer; readonly _w: number }
  }
  // biome-ignore lint/style/noDefaultExport: it is a CommonJS module
  export default protocol
}
