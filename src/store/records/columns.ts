/**
 * Columns: the checks that a value must pass before anybody uses it. Pure.
 *
 * The records come over a network from an engine that other hosts, other versions and people write
 * to. So a row is input, like a packet. Names that become paths, links, rules or labels (ids,
 * addresses, host names) must have their exact form. Numbers must be in their valid range. Words
 * must be known to this version, because guessing is worse than leaving a row alone. Prose, which
 * is only shown, is made printable and cut, so that a message cannot make an instance unreadable.
 * Unknown columns, which a newer version may add, are left out.
 */
import { isIP } from 'node:net'
import { z } from 'zod'
import { type Cidr, parseIpv4 } from '../../model/addr.ts'
import { DRIVER_NAME, type DriverName } from '../../model/driver.ts'
import type { Branded, formatId, IdPrefix } from '../../model/ids.ts'
import { parseStorageFence, STORAGE_ADDRESS, STORAGE_ID } from '../../model/storage.ts'

/** Longest name, in UTF-16 code units: the columns hold 255 characters, and some take two. */
const NAME_MAX = 510
/** Longest prose. */
export const PROSE_MAX = 4096
/** Longest text of a file (`text` columns hold 64 KiB). */
export const TEXT_MAX = 65_535
/** The largest size, in the unit of the column's name. */
export const SIZE_MAX = 2 ** 40
const COUNT_MAX = Number.MAX_SAFE_INTEGER
const LATEST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999)
/**
 * Device numbers of one instance, and positions of groups of one NIC. EC2 allows fewer of either.
 */
const INDEX_MAX = 1023
/** No machine has more. */
export const VCPUS_MAX = 65_536

/** Field types that a column stores in another form. */
type Stored<Value> = Value extends boolean ? number : Value extends Cidr ? string : Value
/** A record as its row: networks are `address/prefix`, and booleans are 0 and 1. */
export type Row<Item> = { readonly [Field in keyof Item]: Stored<Item[Field]> }

/** Text that matches a regular expression. It costs a third of parsing with functions. */
export function like<Text extends string>(form: RegExp): z.ZodType<Text, Text> {
  return z.string().regex(form) as unknown as z.ZodType<Text, Text>
}

/**
 * An id that we created: 17 digits. The old short form (8 digits) is only accepted from clients.
 */
export function id<P extends IdPrefix>(prefix: P) {
  const form = z.string().regex(new RegExp(`^${prefix}-[0-9a-f]{17}$`))
  return form as unknown as z.ZodType<ReturnType<typeof formatId<P>>>
}

const UNPRINTABLE = /[\p{Cc}\p{Cs}\uFFFE\uFFFF]/u

/** Whether the text can be shown on one line. */
export function isPrintable(text: string): boolean {
  return !UNPRINTABLE.test(text)
}

/** Text that is shown, compared and put into files: it must be printable. */
export const name = z.string().max(NAME_MAX).refine(isPrintable, 'is not printable')
/** A name that only operators and we choose: zones, types. */
export const label = z.string().regex(/^[\w.-]{1,64}$/)
/** The storage that has a disk, or that a host reaches. */
export const storage = z.string().regex(STORAGE_ID).nullable().optional()
/** Of a host: its storage, and from which address it reaches that. */
export const reached = {
  storage,
  storageAddress: z
    .string()
    // Otherwise a fence with it could not be read again.
    .regex(STORAGE_ADDRESS)
    .refine((text) => isIP(text) !== 0, 'is no address')
    .nullable()
    .optional(),
}
/** Of a host: which address its storage is to refuse. */
export const storageFence = z
  .string()
  .refine((text) => parseStorageFence(text) !== undefined, 'names no storage and address')
/** Text that is only shown. */
export const prose = z
  .string()
  .transform((text) =>
    text.slice(0, PROSE_MAX).replace(/[^\P{Cc}\n\t]|[\p{Cs}\uFFFE\uFFFF]/gu, '\uFFFD'),
  )
/** The name of a host. */
export const host = like<Branded<'HostName'>>(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/)
/** The id of an account. */
export const account = like<Branded<'AccountId'>>(/^\d{12}$/)
/** As `isoTime` writes it, with a year of four digits that `Date` accepts. */
export const time = z
  .string()
  .max(32)
  .refine(
    (text) =>
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(text) &&
      !Number.isNaN(Date.parse(text)),
    'is not a time (ISO 8601, UTC)',
  )
/** A boolean. */
export const flag = z.union([z.literal(0), z.literal(1)])
/** A number that only grows: a counter or a time. */
export const count = z.int().min(0).max(COUNT_MAX)
/** A time that is shown, in milliseconds since the epoch: up to the year 9999, as in ISO 8601. */
export const moment = z.int().min(0).max(LATEST_MS)
/** The digest of a content. */
export const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/)
/** A position in a short list. */
export const index = z.int().min(0).max(INDEX_MAX)
/** A size, in the unit of the column's name. */
export const size = z.int().min(0).max(SIZE_MAX)
/** An IPv4 address. */
export const ip = z
  .string()
  .max(15)
  .refine(
    (text) => parseIpv4(text) !== undefined,
    'is not an IPv4 address',
  ) as unknown as z.ZodType<Branded<'Ipv4'>>
/**
 * The driver of an instance or image, even one that only a newer version knows. Null: an older
 * daemon wrote the row.
 */
export const driver = like<DriverName>(DRIVER_NAME).nullable()
