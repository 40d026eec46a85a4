/**
 * SSH keys: creating them, parsing public keys in all formats that EC2 accepts, and EC2's
 * fingerprints.
 *
 * Formats: RFC 4253 section 6.6 and RFC 8709 section 4 (public key blobs), RFC 4716 (the SSH2
 * file), and OpenSSH's PROTOCOL.key (the private key file; for Ed25519 the only format that every
 * OpenSSH reads). Fingerprints:
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/verify-keys.html
 */
import {
  createHash,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { promisify } from 'node:util'
import { bug, refused } from '../../model/errors.ts'
import type { KeyPair } from '../../model/records.ts'

type KeyType = KeyPair['type']

/** A public key as it is stored. */
export interface PublicKey {
  readonly type: KeyType
  readonly fingerprint: string
  /** `ssh-rsa AAAA…` or `ssh-ed25519 AAAA…`, without a comment. */
  readonly line: string
}

/** A new key pair: the public key to store, and the private key for the caller only. */
export interface NewKey extends PublicKey {
  /** PEM: PKCS #1 for RSA, OpenSSH's own format for Ed25519. */
  readonly privateKey: string
}

/** EC2 creates 2048-bit RSA keys. */
const RSA_BITS = 2048
const RSA_IMPORT_MIN_BITS = 1024
const RSA_IMPORT_MAX_BITS = 8192
const ED25519_BYTES = 32
const PEM_LINE_LENGTH = 70
/** The private section is padded to this block size when it is not encrypted (PROTOCOL.key). */
const OPENSSH_BLOCK_BYTES = 8

const generate = promisify(generateKeyPair)

/**
 * Creates a key pair. RSA fingerprint: SHA-1 of the PKCS #8 DER private key, as EC2 computes it for
 * keys that it created.
 */
export async function createKey(type: KeyType): Promise<NewKey> {
  if (type === 'rsa') {
    const { publicKey, privateKey } = await generate('rsa', { modulusLength: RSA_BITS })
    return {
      type,
      line: formatLine(publicBlob(publicKey)),
      fingerprint: colons(
        createHash('sha1').update(privateKey.export({ format: 'der', type: 'pkcs8' })),
      ),
      privateKey: privateKey.export({ format: 'pem', type: 'pkcs1' }).toString(),
    }
  }
  const { publicKey, privateKey } = await generate('ed25519')
  return { ...describeKey(publicKey), privateKey: formatEd25519(publicKey, privateKey) }
}

/**
 * Parses a public key: an OpenSSH line, an SSH2 file, PEM, or the base64 of a DER key. Refuses
 * anything else (`InvalidKey.Format`). RSA fingerprint: MD5 of the public DER key, as EC2 computes
 * it for imported keys.
 */
export function parsePublicKey(material: Uint8Array): PublicKey {
  const key = readPublicKey(Buffer.from(material).toString('utf8').trim())
  if (key === undefined) {
    throw refused(
      'InvalidKey.Format',
      'Key is not in valid OpenSSH public key format (RSA or ED25519; SSH2, PEM and base64 DER are taken too)',
    )
  }
  const bits = key.asymmetricKeyDetails?.modulusLength
  if (bits !== undefined && (bits < RSA_IMPORT_MIN_BITS || bits > RSA_IMPORT_MAX_BITS)) {
    throw refused(
      'InvalidKey.Format',
      `RSA keys must have ${RSA_IMPORT_MIN_BITS} to ${RSA_IMPORT_MAX_BITS} bits; this one has ${bits}`,
    )
  }
  return describeKey(key)
}

function describeKey(key: KeyObject): PublicKey {
  const blob = publicBlob(key)
  const type = key.asymmetricKeyType === 'rsa' ? 'rsa' : 'ed25519'
  const fingerprint =
    type === 'rsa'
      ? colons(createHash('md5').update(key.export({ format: 'der', type: 'spki' })))
      : createHash('sha256').update(blob).digest('base64')
  return { type, line: formatLine(blob), fingerprint }
}

function colons(hash: ReturnType<typeof createHash>): string {
  return hash.digest('hex').replaceAll(/..(?!$)/g, '$&:')
}

/** Undefined unless it is one public key of a type that EC2 supports. */
function readPublicKey(text: string): KeyObject | undefined {
  try {
    const key = keyFromText(text)
    return key?.asymmetricKeyType === 'rsa' || key?.asymmetricKeyType === 'ed25519'
      ? key
      : undefined
  } catch {
    // Any error of OpenSSL means that the bytes are not a key.
    return undefined
  }
}

function keyFromText(text: string): KeyObject | undefined {
  if (/^-----BEGIN (?:RSA )?PUBLIC KEY-----/.test(text)) return createPublicKey(text)
  if (text.startsWith('---- BEGIN SSH2 PUBLIC KEY ----')) return keyFromBlob(ssh2Body(text))
  const line = /^(?:ssh-rsa|ssh-ed25519)[ \t]+([A-Za-z0-9+/]+={0,2})(?:[ \t].*)?$/.exec(text)
  if (line?.[1] !== undefined) return keyFromBlob(Buffer.from(line[1], 'base64'))
  if (!/^[A-Za-z0-9+/\s]+={0,2}$/.test(text)) return undefined
  return createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' })
}

/**
 * RFC 4716 section 3.4: the lines that are neither markers nor headers. A header continues after a
 * backslash.
 */
function ssh2Body(text: string): Buffer {
  const body: string[] = []
  let inHeader = false
  for (const line of text.split(/\r?\n/).slice(1)) {
    if (line.startsWith('---- END')) break
    const isHeader: boolean = inHeader || line.includes(':')
    inHeader = isHeader && line.endsWith('\\')
    if (!isHeader) body.push(line)
  }
  return Buffer.from(body.join(''), 'base64')
}

function keyFromBlob(blob: Buffer): KeyObject | undefined {
  const fields = readFields(blob)
  const [name, first, second] = fields
  switch (name?.toString('latin1')) {
    case 'ssh-rsa':
      if (fields.length !== 3 || first === undefined || second === undefined) return undefined
      return createPublicKey({
        key: { kty: 'RSA', e: unsigned(first), n: unsigned(second) },
        format: 'jwk',
      })
    case 'ssh-ed25519':
      if (fields.length !== 2 || first?.length !== ED25519_BYTES) return undefined
      return createPublicKey({
        key: { kty: 'OKP', crv: 'Ed25519', x: first.toString('base64url') },
        format: 'jwk',
      })
    default:
      return undefined
  }
}

/** Strings in the form of RFC 4251 section 5. Empty when the lengths do not add up. */
function readFields(blob: Buffer): readonly Buffer[] {
  const fields: Buffer[] = []
  let at = 0
  while (at + 4 <= blob.length) {
    const length = blob.readUInt32BE(at)
    const field = blob.subarray(at + 4, at + 4 + length)
    if (field.length !== length) return []
    fields.push(field)
    at += 4 + length
  }
  return at === blob.length ? fields : []
}

/** An mpint without its sign byte, for a JWK. */
function unsigned(mpint: Buffer): string {
  return (mpint[0] === 0 ? mpint.subarray(1) : mpint).toString('base64url')
}

function publicBlob(key: KeyObject): Buffer {
  const jwk = key.export({ format: 'jwk' })
  return key.asymmetricKeyType === 'rsa'
    ? Buffer.concat([field('ssh-rsa'), mpint(part(jwk.e)), mpint(part(jwk.n))])
    : Buffer.concat([field('ssh-ed25519'), field(part(jwk.x))])
}

function part(text: string | undefined): Buffer {
  if (text === undefined) throw bug('a key lacks a part of itself')
  return Buffer.from(text, 'base64url')
}

function field(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content)
  return Buffer.concat([uint32(bytes.length), bytes])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** RFC 4251 section 5: a number with its top bit set gets a zero byte, or it would be negative. */
function mpint(number: Buffer): Buffer {
  return field((number[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), number]) : number)
}

function formatLine(blob: Buffer): string {
  return `${readFields(blob)[0]?.toString('latin1')} ${blob.toString('base64')}`
}

/** OpenSSH's PROTOCOL.key, unencrypted. */
function formatEd25519(publicKey: KeyObject, privateKey: KeyObject): string {
  const seed = part(privateKey.export({ format: 'jwk' }).d)
  const point = part(publicKey.export({ format: 'jwk' }).x)
  const check = randomBytes(4)
  const secret = Buffer.concat([
    check,
    check,
    field('ssh-ed25519'),
    field(point),
    field(Buffer.concat([seed, point])),
    field(''),
  ])
  const missing =
    (OPENSSH_BLOCK_BYTES - (secret.length % OPENSSH_BLOCK_BYTES)) % OPENSSH_BLOCK_BYTES
  const padding = Buffer.from(Array.from({ length: missing }, (_, index) => index + 1))
  const body = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    field('none'),
    field('none'),
    field(''),
    uint32(1),
    field(publicBlob(publicKey)),
    field(Buffer.concat([secret, padding])),
  ]).toString('base64')
  const lines = body.match(new RegExp(`.{1,${PEM_LINE_LENGTH}}`, 'g')) ?? []
  return [
    '-----BEGIN OPENSSH PRIVATE KEY-----',
    ...lines,
    '-----END OPENSSH PRIVATE KEY-----',
    '',
  ].join('\n')
}
