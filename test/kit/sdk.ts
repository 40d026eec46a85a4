/**
 * The real AWS SDK without a network: the request that it would send, and what it reads from an
 * answer. Which inputs and outputs exist comes from the schemas in the SDK itself, not from our
 * generated model.
 */
import * as ec2 from '@aws-sdk/client-ec2'
import * as iam from '@aws-sdk/client-iam'
import * as sts from '@aws-sdk/client-sts'
import { NormalizedSchema } from '@smithy/core/schema'
import * as fc from 'fast-check'
import type { SignedRequest } from '../../src/api/http/auth.ts'
import { CREDENTIALS } from './api.ts'

type Schema = Parameters<typeof NormalizedSchema.of>[0]

interface SdkRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

interface Exchange {
  readonly request: SdkRequest
  readonly output: Record<string, unknown>
}

/** Runs one action of the SDK against an answer given beforehand. */
export async function exchange(action: string, input: object, answer: string): Promise<Exchange> {
  let sent: SdkRequest | undefined
  const requestHandler = {
    handle: async (request: SdkRequest) => {
      sent = request
      return { response: { statusCode: 200, headers: {}, body: Buffer.from(answer) } }
    },
  }
  const service = [sts, iam].find((one) => Object.hasOwn(one, `${action}Command`)) ?? ec2
  const settings = {
    region: 'atoll',
    endpoint: 'http://127.0.0.1:8773',
    credentials: CREDENTIALS,
    // The SDK's type of a handler asks for far more than it uses.
    requestHandler: requestHandler as never,
  }
  const client =
    service === sts
      ? new sts.STSClient(settings)
      : service === iam
        ? new iam.IAMClient(settings)
        : new ec2.EC2Client(settings)
  const Command = Reflect.get(service, `${action}Command`) as new (input: object) => never
  const send = client.send.bind(client) as (command: never) => Promise<Record<string, unknown>>
  const { $metadata: _, ...output } = await send(new Command(input))
  if (sent === undefined) throw new Error('the SDK sent nothing')
  return { request: sent, output }
}

/** The request that the SDK sends and signs for an action. */
export async function signedBySdk(action: string, input: object): Promise<SignedRequest> {
  const { request } = await exchange(action, input, `<${action}Response/>`)
  return {
    method: request.method,
    path: request.path,
    query: '',
    headers: Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), [value]]),
    ),
    body: Buffer.from(request.body),
  }
}

/** Any value of the action's input or output shape, members present or not. */
export function anyValue(action: string, direction: 'input' | 'output'): fc.Arbitrary<object> {
  return arbitrary(shapeOf(action, direction), 0) as fc.Arbitrary<object>
}

/** The one value of a shape in which every member is present and every list has two items. */
export function fullValue(action: string, direction: 'input' | 'output'): object {
  let serial = 0
  const fill = (schema: NormalizedSchema): unknown => {
    serial += 1
    if (schema.isUnitSchema()) return {}
    if (schema.isListSchema()) return [fill(schema.getValueSchema()), fill(schema.getValueSchema())]
    if (schema.isMapSchema()) return { one: fill(schema.getValueSchema()) }
    if (schema.isStructSchema()) {
      return Object.fromEntries([...schema.structIterator()].map(([name, of]) => [name, fill(of)]))
    }
    if (schema.isTimestampSchema()) return new Date(serial * 1000)
    if (schema.isBooleanSchema()) return serial % 2 === 0
    if (schema.isNumericSchema()) return serial
    if (schema.isBlobSchema()) return Uint8Array.of(serial)
    return `text ${serial}`
  }
  return fill(shapeOf(action, direction)) as object
}

function shapeOf(action: string, direction: 'input' | 'output'): NormalizedSchema {
  const operation: unknown = [ec2, iam, sts]
    .map((one): unknown => Reflect.get(one, `${action}$`))
    .find((found) => found !== undefined)
  if (!Array.isArray(operation)) throw new Error(`the SDK has no action ${action}`)
  return NormalizedSchema.of(operation[direction === 'input' ? 4 : 5] as Schema)
}

const anyText = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1 }),
    fc.string({ unit: fc.constantFrom(...'&<>"\'+%=. \n\r\tä€𝄞'), minLength: 1 }),
  )
  // The SDK's XML parser takes blank lines alone for indentation.
  .filter((text) => text.trim() !== '')
const anyNumber = fc
  .oneof(fc.maxSafeInteger(), fc.double({ min: -1e6, max: 1e6, noNaN: true }))
  .map((number) => number + 0)
const anyTime = fc.date({
  min: new Date(0),
  max: new Date('9999-12-31T00:00:00Z'),
  noInvalidDate: true,
})

function arbitrary(schema: NormalizedSchema, depth: number): fc.Arbitrary<unknown> {
  if (schema.isUnitSchema()) return fc.constant({})
  if (schema.isListSchema()) {
    return fc.array(arbitrary(schema.getValueSchema(), depth + 1), { minLength: 1, maxLength: 3 })
  }
  if (schema.isMapSchema()) {
    const value = arbitrary(schema.getValueSchema(), depth + 1)
    return fc.dictionary(fc.stringMatching(/^[A-Za-z]{1,8}$/), value, { minKeys: 1, maxKeys: 3 })
  }
  if (schema.isStructSchema()) {
    const members = [...schema.structIterator()].map(([name, of]) => {
      const present = fc.tuple(fc.constant(name), fc.noShrink(arbitrary(of, depth + 1)))
      // The SDK makes up a token where there is none, so there always is one.
      if (of.isIdempotencyToken()) return present
      const absent = { arbitrary: fc.constant(undefined), weight: 1 + depth * 2 }
      return fc.oneof(absent, { arbitrary: present, weight: 1 })
    })
    return fc
      .tuple(...members)
      .map((entries) => Object.fromEntries(entries.filter((entry) => entry !== undefined)))
  }
  if (schema.isTimestampSchema()) return anyTime
  if (schema.isBooleanSchema()) return fc.boolean()
  if (schema.isNumericSchema()) return anyNumber
  if (schema.isBlobSchema()) return fc.uint8Array({ minLength: 1 })
  return anyText
}
