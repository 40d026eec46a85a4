/**
 * Columns: what each must look like before anybody goes by it. Pure.
 *
 * The records come over a network from an engine that other hosts, other versions and people write
 * to, so a row is input like a packet. Names that become paths, links, rules or labels (ids,
 * addresses, host names) are held to their exact form; numbers to what they can mean; words to
 * those that this version knows, because half-understood is worse than left alone. Prose, which is
 * only shown, is made printable and cut instead: nobody's instance is put aside for what a message
 * says. Unknown columns, as a newer version adds, are left out.
 */
import { z } from 'zod'
import { type Cidr, parseIpv4 } from '../../model/addr.ts'
import { DRIVER_NAME, type DriverName } from '../../model/driver.ts'
import type { Branded, formatId, IdPrefix } from '../../model/ids.ts'

/** Longest name, in UTF-16 code units: the columns hold 255 characters, and some take two. */
const NAME_MAX = 510
/** Longest prose. */
export const PROSE_MAX = 4096
/** Longest text of a file (`text` columns hold 64 KiB). */
export const TEXT_MAX = 65_535
const SIZE_MAX = 2 ** 40
const COUNT_MAX = Number.MAX_SAFE_INTEGER
/** Devices of one instance, groups of one NIC: more than EC2 has of either. */
const INDEX_MAX = 1023
/** More than any machine has. */
export const VCPUS_MAX = 65_536

/** Field types of a record that columns hold in another way. */
type Stored<Value> = Value extends boolean ? number : Value extends Cidr ? string : Value
/** A record whose networks are `address/prefix` and whose truth values are 0 and 1. */
export type Row<Item> = { readonly [Field in keyof Item]: Stored<Item[Field]> }

/** Text of a form. Regular expressions: they cost a third of what parsing by functions does. */
export function like<Text extends string>(form: RegExp): z.ZodType<Text, Text> {
  return z.string().regex(form) as unknown as z.ZodType<Text, Text>
}

/** An id that we made: 17 digits. The short form of old (8 digits) is taken from clients only. */
export function id<P extends IdPrefix>(prefix: P) {
  const form = z.string().regex(new RegExp(`^${prefix}-[0-9a-f]{17}$`))
  return form as unknown as z.ZodType<ReturnType<typeof formatId<P>>>
}

const UNPRINTABLE = /[\p{Cc}\p{Cs}\uFFFE\uFFFF]/u

/** Whether the text can be shown on one line. */
export function isPrintable(text: string): boolean {
  return !UNPRINTABLE.test(text)
}

/** A word that is shown, compared and put into file contents: printable. */
export const name = z.string().max(NAME_MAX).refine(isPrintable, 'is not printable')
/** A name that only operators and we give: zones, types. */
export const label = z.string().regex(/^[\w.-]{1,64}$/)
/** What is only shown. */
export const prose = z
  .string()
  .transform((text) =>
    text.slice(0, PROSE_MAX).replace(/[^\P{Cc}\n\t]|[\p{Cs}\uFFFE\uFFFF]/gu, '\uFFFD'),
  )
/** The name of a host. */
export const host = like<Branded<'HostName'>>(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/)
/** The id of an account. */
export const account = like<Branded<'AccountId'>>(/^\d{12}$/)
/** As `isoTime` writes it; a year of four digits that `Date` takes. */
export const time = z
  .string()
  .max(32)
  .refine(
    (text) =>
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(text) &&
      !Number.isNaN(Date.parse(text)),
    'is no time (ISO 8601, UTC)',
  )
/** A truth value. */
export const flag = z.union([z.literal(0), z.literal(1)])
/** How often, how many, when: whatever only grows. */
export const count = z.int().min(0).max(COUNT_MAX)
/** A place in a short list. */
export const index = z.int().min(0).max(INDEX_MAX)
/** A size, in whatever unit the column's name says. */
export const size = z.int().min(0).max(SIZE_MAX)
/** An IPv4 address. */
export const ip = z
  .string()
  .max(15)
  .refine((text) => parseIpv4(text) !== undefined, 'is no IPv4 address') as unknown as z.ZodType<
  Branded<'Ipv4'>
>
/**
 * The driver of an instance or image, also one that only a newer version knows; null: an older
 * daemon wrote the row.
 */
export const driver = like<DriverName>(DRIVER_NAME).nullable()
