/**
 * Authenticates a command: an access key's signature over its body, its time, and the queue for the
 * answer.
 *
 * The body is signed as raw bytes, so clients and hosts need not agree on how JSON is written.
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import type { CommandMessage } from '../../bus/command-queue.ts'
import type { AccessKey } from '../../model/account-records.ts'
import { AtollError, refused } from '../../model/errors.ts'
import type { Caller } from '../action.ts'
import { callerOf, type FindKey, parseTime } from '../http/auth.ts'
import { parseHeaders } from './command.ts'

/** Maximum difference between a command's time and ours. */
export const COMMAND_SKEW_MS = 5 * 60 * 1000
/** The first line of the signed text. */
const ALGORITHM = 'ATOLL-HMAC-SHA256'
/**
 * The reply_to of a client; the broker replaces it with a name of its own
 * (https://www.rabbitmq.com/docs/direct-reply-to).
 */
const DIRECT_REPLY_TO = 'amq.rabbitmq.reply-to'

/** What a signature covers. */
export type SignedCommand = Pick<CommandMessage, 'body' | 'replyTo' | 'correlationId'>

/**
 * Returns the sender of the command. Refusals: `IncompleteSignature` (form), `RequestExpired`
 * (time), `AuthFailure` (unknown key or wrong signature; only the operator's log tells which).
 */
export async function authenticateCommand(
  message: SignedCommand & Pick<CommandMessage, 'headers'>,
  findKey: FindKey,
  nowMs: number,
): Promise<Caller> {
  const headers = parseHeaders(message.headers)
  const accessKey = headers['x-atoll-access-key']
  const date = headers['x-atoll-date']
  const signedAt = parseTime(date)
  if (signedAt === undefined || Math.abs(nowMs - signedAt) > COMMAND_SKEW_MS) {
    const now = new Date(nowMs).toISOString()
    throw refused(
      'RequestExpired',
      `The command was signed at ${date} and it is ${now} here: the clock of the client or of this host is wrong`,
    )
  }
  const key = await findKey(accessKey, null)
  // An unknown key costs the same time as a known one.
  const expected = signCommand(message, { id: accessKey, secret: key?.secret ?? '' }, date)
  const proved = timingSafeEqual(Buffer.from(expected), Buffer.from(headers['x-atoll-signature']))
  if (key !== undefined && proved) return callerOf(key)
  const why = key === undefined ? 'unknown access key' : 'wrong signature'
  throw new AtollError(
    'refused',
    'AuthFailure',
    'Atoll was not able to validate the provided access credentials',
    { detail: { why, accessKey } },
  )
}

/** The signature of a command: 64 hexadecimal digits. */
export function signCommand(
  { body, replyTo, correlationId }: SignedCommand,
  key: Pick<AccessKey, 'id' | 'secret'>,
  date: string,
): string {
  const to = replyTo?.startsWith(`${DIRECT_REPLY_TO}.`) === true ? DIRECT_REPLY_TO : (replyTo ?? '')
  const text = [ALGORITHM, date, key.id, to, correlationId ?? '', hash('sha256', body, 'hex')]
  return createHmac('sha256', key.secret).update(text.join('\n')).digest('hex')
}
