/**
 * The messages between hosts: bells, questions and answers. Everything is parsed with limits,
 * because anybody with the broker's password can publish anything. Pure.
 *
 * A host ignores unknown members, so that hosts of different versions work together.
 */
import { z } from 'zod'
import { AtollError, ERROR_STATUS, type ErrorCode } from '../../model/errors.ts'
import { parseHostName, parseId } from '../../model/ids.ts'
import { KIB } from '../../model/sizes.ts'
import { traceAnswerSchema, traceAskSchema } from '../../model/trace.ts'
import type { Question, Questions } from '../bus.ts'

/** Longest message in bytes: console output of 64 KiB in base64, and some more. */
export const ENVELOPE_LIMIT_BYTES = 256 * KIB
/** Maximum number of messages in one envelope. */
export const MESSAGES_LIMIT = 100
/** Longest accepted deadline of a question, in milliseconds. */
const TIMEOUT_LIMIT_MS = 600_000
const TEXT_LIMIT = 4_096

/** Text for a parser of the model. `what` names it in the error. */
function parsedText<T>(maxLength: number, parse: (text: string) => T | undefined, what: string) {
  return z
    .string()
    .max(maxLength)
    .transform((text, context) => {
      const parsed = parse(text)
      if (parsed !== undefined) return parsed
      context.addIssue(`must be the ${what}`)
      return z.NEVER
    })
}

const hostName = parsedText(63, parseHostName, 'name of a host')
const instanceId = parsedText(64, (text) => parseId('i', text), 'id of an instance')
const vpcId = parsedText(64, (text) => parseId('vpc', text), 'id of a VPC')
const messageId = z.string().min(8).max(64)

/** An envelope, once its signature is verified: messages of one host to one other, or to all. */
export const envelopeSchema = z.object({
  from: hostName.describe('The host that wrote it'),
  to: hostName.nullable().describe('The host that it is for; null: all hosts'),
  at: z
    .int()
    .min(0)
    .describe(
      "When it was written, by the receiver's clock if that is known: milliseconds since 1970",
    ),
  clock: z.int().min(0).optional().describe("The same by the writer's own clock; absent: as `at`"),
  id: messageId.describe('Used once'),
  letters: z
    .array(z.unknown())
    .max(MESSAGES_LIMIT)
    .describe('In the order in which they were written'),
})

/** "Read again." */
export const bellMessageSchema = z.object({
  kind: z.literal('bell'),
  bell: z
    .enum(['own', 'shared'])
    .describe('own: the part of this host; shared: what all hosts share'),
  vpc: vpcId.optional().describe('With shared: only what belongs to this VPC'),
})

/** A question to one host. */
export const questionMessageSchema = z.object({
  kind: z.literal('ask'),
  id: messageId.describe('Id that the answer refers to'),
  question: z.string().max(64).describe('Kind of question'),
  ask: z.unknown().describe('What is asked, by the kind of question'),
  timeoutMs: z.number().min(0).max(TIMEOUT_LIMIT_MS).describe('How long the asker waits'),
})

/** The answer to a question. */
export const answerMessageSchema = z.object({
  kind: z.literal('answer'),
  re: messageId.describe('The id of the question'),
  answer: z.unknown().optional().describe('By the kind of question; absent with an error'),
  error: z
    .object({
      kind: z.enum(['refused', 'unavailable', 'bug']),
      code: z.string().max(64).describe('Code of the EC2 API'),
      message: z.string().max(TEXT_LIMIT),
    })
    .optional()
    .describe('Why there is no answer'),
})

/** Any message, by its `kind`. */
export const busMessageSchema = z.discriminatedUnion('kind', [
  bellMessageSchema,
  questionMessageSchema,
  answerMessageSchema,
])

export type BusMessage = z.infer<typeof busMessageSchema>
export type BellMessage = z.infer<typeof bellMessageSchema>
export type QuestionMessage = z.infer<typeof questionMessageSchema>
export type AnswerMessage = z.infer<typeof answerMessageSchema>

/** Question and answer of each kind. */
export const QUESTION_SCHEMAS: {
  readonly [Q in Question]: {
    readonly ask: z.ZodType<Questions[Q]['ask']>
    readonly answer: z.ZodType<Questions[Q]['answer']>
  }
} = {
  console: {
    ask: z.object({ instance: instanceId }),
    answer: z.object({
      output: z.string().max(ENVELOPE_LIMIT_BYTES).describe('Base64'),
      at: z.string().max(32).describe('ISO 8601'),
    }),
  },
  attach: {
    ask: z.object({ instance: instanceId }),
    answer: z.object({
      address: z.ipv4().describe('Where the host is reached'),
      port: z.int().min(1).max(65_535).describe("TCP port of the host's API"),
      ticket: z.string().max(128).describe('Valid once, for some seconds'),
    }),
  },
  trace: { ask: traceAskSchema, answer: traceAnswerSchema },
}

/** Whether this version knows this kind of question. */
export function isQuestion(text: string): text is Question {
  return Object.hasOwn(QUESTION_SCHEMAS, text)
}

/** An error for sending: only its public message, without detail or cause. */
export function formatError({ kind, code, message }: AtollError): AnswerMessage['error'] {
  return { kind, code, message: message.slice(0, TEXT_LIMIT) }
}

/** A received error. A code that this version does not know is replaced by one for its kind. */
export function parseError({
  kind,
  code,
  message,
}: NonNullable<AnswerMessage['error']>): AtollError {
  const known = Object.hasOwn(ERROR_STATUS, code)
  const other = kind === 'unavailable' ? 'Unavailable' : 'InternalError'
  return new AtollError(kind, known ? (code as ErrorCode) : other, message)
}
