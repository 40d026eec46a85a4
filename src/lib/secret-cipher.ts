/**
 * Encrypts secrets for the records, so that a copy of the records does not reveal them.
 *
 * AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. The text is bound to its row
 * (associated data): copied to another row it cannot be decrypted.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

/** Encrypts (`seal`) and decrypts (`open`) with one key. */
export interface SecretCipher {
  /** `place` names the row where the text will be stored. */
  seal(text: string, place: string): string
  /** Null when the text was encrypted with another key or for another place, or was changed. */
  open(sealed: string, place: string): string | null
}

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const MARK = 'sealed:1:'

/** `key` has 32 bytes. */
export function createSecretCipher(key: Uint8Array): SecretCipher {
  return {
    seal(text, place) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
      cipher.setAAD(Buffer.from(place))
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return `${MARK}${Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url')}`
    },
    open(sealed, place) {
      const bytes = Buffer.from(sealed.slice(MARK.length), 'base64url')
      if (!sealed.startsWith(MARK) || bytes.length < NONCE_BYTES + TAG_BYTES) return null
      const nonce = bytes.subarray(0, NONCE_BYTES)
      const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
      decipher.setAAD(Buffer.from(place))
      decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
      try {
        const opened = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES))
        return Buffer.concat([opened, decipher.final()]).toString('utf8')
      } catch {
        return null
      }
    },
  }
}
