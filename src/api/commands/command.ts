/**
 * A command and its answer on the bus: the schemas that `docs/asyncapi.yaml` is generated from.
 *
 * All input comes from outside, and is checked against named limits. Pure.
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'

/** Items on a page when the command has no MaxResults. An instance with some tags takes 3 KiB. */
export const PAGE_ITEMS = 200
/** Longest error message about a malformed command, in characters. */
const COMPLAINT_LIMIT = 1024
/** As long as an EC2 ClientToken, because the id of a launch becomes one. */
const ID_LIMIT = 64

/** The body of a command: JSON in UTF-8. */
export const commandSchema = z.strictObject({
  id: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')
    .max(ID_LIMIT)
    .describe(
      'Chosen by the client and never reused, such as a UUID. It is the ClientToken of a RunInstances without one, so a repeated command launches only once',
    ),
  action: z.string().min(1).max(64).describe('An action of the EC2 API, such as RunInstances'),
  parameters: z
    .record(z.string().max(256), z.unknown())
    .default({})
    .describe('Parameters of the action, with the names of the AWS SDK'),
})

export type Command = z.infer<typeof commandSchema>

/** The headers of a command, which authenticate it. */
export const commandHeaders = z.object({
  'x-atoll-access-key': z
    .string()
    .regex(/^\w{1,128}$/, 'must be the id of an access key')
    .describe('Id of the access key'),
  'x-atoll-date': z
    .string()
    .regex(/^\d{8}T\d{6}Z$/, 'must look like 20261122T083327Z')
    .describe('Time of signing, in UTC; a command expires after five minutes'),
  'x-atoll-signature': z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hexadecimal digits')
    .describe(
      'HMAC-SHA256 with the secret of the access key, in hexadecimal digits, of these lines joined by line feeds: "ATOLL-HMAC-SHA256", the date, the access key id, reply_to ("amq.rabbitmq.reply-to" for direct reply-to, empty when there is none), correlation_id (empty when there is none), the SHA-256 of the body in hexadecimal digits',
    ),
})

export type CommandHeaders = z.infer<typeof commandHeaders>

/** The body of an answer: `result` or `error`. */
export const answerSchema = z.strictObject({
  id: z.string().optional().describe("The command's id, when it could be read"),
  requestId: z.string().describe('Id of the request in the log of the host that handled it'),
  result: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Output of the action, with the names of the AWS SDK'),
  recordsAsOf: z
    .string()
    .optional()
    .describe(
      'Set when the database is unavailable: the time of the copy of the records that was used',
    ),
  error: z
    .strictObject({
      code: z.string().describe('As in the EC2 API, such as InvalidParameterValue'),
      message: z.string(),
      status: z.int().describe('HTTP status of this error in the EC2 API; 503: try again'),
    })
    .optional(),
})

export type CommandAnswer = z.infer<typeof answerSchema>

/** Parses the body of a command. Refuses with `InvalidRequest`, naming every invalid field. */
export function parseCommand(body: Uint8Array): Command {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw refused('InvalidRequest', 'The body must be JSON in UTF-8')
  }
  const parsed = commandSchema.safeParse(json)
  if (parsed.success) return parsed.data
  throw refused('InvalidRequest', `The command is malformed: ${complaint(parsed.error)}`)
}

/** Parses the headers that authenticate a command. Refuses with `IncompleteSignature`. */
export function parseHeaders(headers: Readonly<Record<string, unknown>>): CommandHeaders {
  const parsed = commandHeaders.safeParse(headers)
  if (parsed.success) return parsed.data
  throw refused(
    'IncompleteSignature',
    `The signature of the command is incomplete: ${complaint(parsed.error)}`,
  )
}

/** What is wrong, without repeating all that an unauthenticated client sent. */
function complaint(error: z.ZodError): string {
  const text = z.prettifyError(error)
  return text.length > COMPLAINT_LIMIT ? `${text.slice(0, COMPLAINT_LIMIT)}…` : text
}
