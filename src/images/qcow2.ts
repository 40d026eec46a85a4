/**
 * Parses the header of a qcow2 image as hostile input, and decides whether QEMU may use the image.
 * Pure.
 *
 * https://www.qemu.org/docs/master/interop/qcow2.html. Limits without a comment are QEMU's own
 * (block/qcow2.h). Above all, an image must not name another file, because QEMU would open it: no
 * backing file, no external data file. `qemu-img info` is not used: it reads the same fields and
 * decides nothing for us, and it would be one more C program that parses a stranger's file, besides
 * the one that must (which runs unprivileged and in a sandbox).
 */
import { type AtollError, refused } from '../model/errors.ts'
import { KIB, MIB } from '../model/sizes.ts'

/**
 * The part of a file that is parsed. Header and extensions are in the first cluster, and in real
 * images in its first kilobyte.
 */
export const QCOW2_HEAD_BYTES = 64 * KIB
/** Largest disk of an image. */
export const VIRTUAL_MAX_BYTES = 64 * 1024 ** 4

/** The contents of an accepted header. */
interface Qcow2 {
  readonly version: 2 | 3
  /** Size of the disk that the guest sees: a multiple of 512. */
  readonly virtualBytes: number
  readonly clusterBytes: number
}

const MAGIC = 0x514649fb
const VERSION_2_HEADER_BYTES = 72
const VERSION_3_HEADER_MIN_BYTES = 104
const CLUSTER_BITS_MIN = 9
const CLUSTER_BITS_MAX = 21
const L1_MAX_BYTES = 32 * MIB
const REFCOUNT_TABLE_MAX_BYTES = 8 * MIB
const REFCOUNT_ORDER_MAX = 6
/** QEMU accepts 65,536. Real images have few, and each has its own tables. */
const SNAPSHOTS_MAX = 256
const EXTENSIONS_MAX = 64
const ENTRY_BYTES = 8
const SECTOR_BYTES = 512

/** Bits of `incompatible_features`. */
const DIRTY = 1n << 0n
const CORRUPT = 1n << 1n
const EXTERNAL_DATA = 1n << 2n
const COMPRESSION_TYPE = 1n << 3n
const EXTENDED_L2 = 1n << 4n
const KNOWN = DIRTY | CORRUPT | EXTERNAL_DATA | COMPRESSION_TYPE | EXTENDED_L2
/** Bit of `autoclear_features`: the external data file is a raw image. */
const RAW_EXTERNAL = 1n << 1n
/** Clusters with subclusters have at least this size. */
const EXTENDED_CLUSTER_BITS_MIN = 14
const COMPRESSION_ZSTD = 1

const EXTENSION_END = 0
const BACKING_FORMAT = 0xe2792aca
/** Extensions that are refused, by magic number. */
const FORBIDDEN: ReadonlyMap<number, string> = new Map([
  [BACKING_FORMAT, 'names the format of a backing file'],
  [0x44415441, 'names an external data file'],
  [0x0537be77, 'is encrypted'],
])

/**
 * Whether a file with this beginning must be parsed as qcow2 (or its predecessor qcow), even if it
 * could also be something else.
 */
export function isQcow(head: Buffer): boolean {
  return head.length >= 4 && head.readUInt32BE(0) === MAGIC
}

/**
 * Parses the header of an image that needs no other file. `head` is the file's first
 * `QCOW2_HEAD_BYTES`, or all of a shorter file of `fileBytes`. Errors: `refused` with what is
 * wrong, to follow the image's name.
 */
export function parseQcow2(head: Buffer, fileBytes: number): Qcow2 {
  return parse(head, fileBytes, NOTHING_ELSE)
}

/**
 * Like `parseQcow2`, for an instance's own disk, which has a base. The caller must name the base;
 * the header's is ignored.
 */
export function parseOverlay(head: Buffer, fileBytes: number): Qcow2 {
  return parse(head, fileBytes, { ...NOTHING_ELSE, backing: true })
}

/** What a header may name besides its own file. */
interface Allowed {
  readonly backing: boolean
}
const NOTHING_ELSE: Allowed = { backing: false }

function parse(head: Buffer, fileBytes: number, allowed: Allowed): Qcow2 {
  if (!isQcow(head)) throw wrong('is not a qcow2 image')
  const fields = readFields(head)
  checkReferences(fields, allowed)
  checkFeatures(fields, head)
  checkSizes(fields)
  checkTables(fields, fileBytes)
  checkExtensions(head, fields, allowed)
  return {
    version: fields.version,
    virtualBytes: Number(fields.virtualBytes),
    clusterBytes: 1 << fields.clusterBits,
  }
}

type Fields = ReturnType<typeof readFields>

/** The fields, after the two that say how to read them. */
function readFields(head: Buffer) {
  need(head, VERSION_2_HEADER_BYTES)
  const version = versionOf(head.readUInt32BE(4))
  if (version === 3) need(head, VERSION_3_HEADER_MIN_BYTES)
  return {
    version,
    backingOffset: head.readBigUInt64BE(8),
    backingBytes: head.readUInt32BE(16),
    clusterBits: head.readUInt32BE(20),
    virtualBytes: head.readBigUInt64BE(24),
    cryptMethod: head.readUInt32BE(32),
    l1Entries: head.readUInt32BE(36),
    l1Offset: head.readBigUInt64BE(40),
    refcountTableOffset: head.readBigUInt64BE(48),
    refcountTableClusters: head.readUInt32BE(56),
    snapshots: head.readUInt32BE(60),
    snapshotsOffset: head.readBigUInt64BE(64),
    incompatible: version === 3 ? head.readBigUInt64BE(72) : 0n,
    autoclear: version === 3 ? head.readBigUInt64BE(88) : 0n,
    refcountOrder: version === 3 ? head.readUInt32BE(96) : 4,
    headerBytes: version === 3 ? head.readUInt32BE(100) : VERSION_2_HEADER_BYTES,
  }
}

function versionOf(found: number): 2 | 3 {
  if (found === 2 || found === 3) return found
  throw wrong(`has version ${found} of the format, and only 2 and 3 are known`)
}

/** Refuses references to other files, and what cannot be read. */
function checkReferences(fields: Fields, { backing }: Allowed): void {
  if (!backing && (fields.backingOffset !== 0n || fields.backingBytes !== 0))
    throw wrong('names a backing file; convert it with `qemu-img convert`')
  if ((fields.incompatible & EXTERNAL_DATA) !== 0n || (fields.autoclear & RAW_EXTERNAL) !== 0n)
    throw wrong('keeps its content in an external data file; convert it with `qemu-img convert`')
  if (fields.cryptMethod !== 0) throw wrong('is encrypted')
}

function checkFeatures(fields: Fields, head: Buffer): void {
  const { incompatible, clusterBits, headerBytes } = fields
  const unknown = incompatible & ~KNOWN
  if (unknown !== 0n)
    throw wrong(`needs features that are not known (incompatible bits 0x${unknown.toString(16)})`)
  if ((incompatible & (DIRTY | CORRUPT)) !== 0n)
    throw wrong('is marked as dirty or corrupt; repair it with `qemu-img check -r all`')
  if (clusterBits < CLUSTER_BITS_MIN || clusterBits > CLUSTER_BITS_MAX)
    throw wrong(`has clusters of 2^${clusterBits} bytes; 2^9 to 2^21 are possible`)
  if ((incompatible & EXTENDED_L2) !== 0n && clusterBits < EXTENDED_CLUSTER_BITS_MIN)
    throw wrong('has subclusters in clusters that are too small for them')
  if (fields.version === 3 && (headerBytes < VERSION_3_HEADER_MIN_BYTES || headerBytes % 8 !== 0))
    throw wrong(`has a header of ${headerBytes} bytes`)
  if (headerBytes > 1 << clusterBits) throw wrong('has a header that is longer than a cluster')
  need(head, headerBytes)
  const compression = headerBytes > VERSION_3_HEADER_MIN_BYTES ? head.readUInt8(104) : 0
  const marked = (incompatible & COMPRESSION_TYPE) !== 0n
  if (compression > COMPRESSION_ZSTD || marked !== (compression !== 0))
    throw wrong(`has compression of an unknown type (${compression})`)
  if (fields.refcountOrder > REFCOUNT_ORDER_MAX)
    throw wrong(`has reference counts of 2^${fields.refcountOrder} bits`)
}

function checkSizes({ virtualBytes, clusterBits, incompatible, l1Entries }: Fields): void {
  if (virtualBytes === 0n) throw wrong('is a disk of size 0')
  if (virtualBytes > BigInt(VIRTUAL_MAX_BYTES))
    throw wrong(
      `is a disk of ${virtualBytes} bytes; at most ${VIRTUAL_MAX_BYTES} (64 TiB) are possible`,
    )
  if (virtualBytes % BigInt(SECTOR_BYTES) !== 0n)
    throw wrong(`is a disk of ${virtualBytes} bytes, which is not a multiple of ${SECTOR_BYTES}`)
  const l2EntryBytes = (incompatible & EXTENDED_L2) !== 0n ? 2 * ENTRY_BYTES : ENTRY_BYTES
  const bytesPerL1Entry = 2 ** clusterBits * (2 ** clusterBits / l2EntryBytes)
  if (l1Entries * ENTRY_BYTES > L1_MAX_BYTES) throw wrong('has an L1 table that is too large')
  if (l1Entries < Math.ceil(Number(virtualBytes) / bytesPerL1Entry))
    throw wrong('has an L1 table that is too small for its disk')
}

/**
 * Every table that the header refers to must begin on a cluster after the header, and be inside the
 * file.
 */
function checkTables(fields: Fields, fileBytes: number): void {
  const clusterBytes = 2 ** fields.clusterBits
  const refcountBytes = fields.refcountTableClusters * clusterBytes
  if (refcountBytes === 0 || refcountBytes > REFCOUNT_TABLE_MAX_BYTES)
    throw wrong('has a reference count table that is too large')
  if (fields.snapshots > SNAPSHOTS_MAX)
    throw wrong(`has ${fields.snapshots} snapshots; at most ${SNAPSHOTS_MAX} are possible`)
  const endBytes = Math.ceil(fileBytes / clusterBytes) * clusterBytes
  const check = (name: string, offset: bigint, bytes: number) => {
    const aligned = offset > 0n && offset % BigInt(clusterBytes) === 0n
    if (!aligned || offset + BigInt(bytes) > BigInt(endBytes))
      throw wrong(`is damaged or truncated: its ${name} is not within the file`)
  }
  check('L1 table', fields.l1Offset, fields.l1Entries * ENTRY_BYTES)
  check('reference count table', fields.refcountTableOffset, refcountBytes)
  if (fields.snapshots > 0) check('snapshot table', fields.snapshotsOffset, SNAPSHOT_MIN_BYTES)
}

const SNAPSHOT_MIN_BYTES = 40

/**
 * Type, length, and data padded to 8 bytes, up to the end marker or the end of the first cluster.
 */
function checkExtensions(
  head: Buffer,
  { headerBytes, clusterBits }: Fields,
  { backing }: Allowed,
): void {
  const endBytes = 2 ** clusterBits
  let offset = headerBytes
  for (let count = 0; offset < endBytes; count += 1) {
    if (count === EXTENSIONS_MAX) throw wrong('has too many header extensions')
    need(head, offset + 8)
    const type = head.readUInt32BE(offset)
    if (type === EXTENSION_END) return
    const forbidden = FORBIDDEN.get(type)
    if (forbidden !== undefined && !(backing && type === BACKING_FORMAT)) throw wrong(forbidden)
    offset += 8 + Math.ceil(head.readUInt32BE(offset + 4) / 8) * 8
    if (offset > endBytes) throw wrong('has a header extension that is longer than a cluster')
  }
}

function need(head: Buffer, bytes: number): void {
  if (bytes > head.length) throw wrong('is damaged or truncated: its header is not complete')
}

function wrong(what: string): AtollError {
  return refused('InvalidParameterValue', what)
}
