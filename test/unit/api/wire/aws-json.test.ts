/** AWS JSON 1.1: targets, times and errors, as SDKs send and read them. */
import { describe, expect, it } from 'vitest'
import { allActions } from '../../../../src/api/actions/all.ts'
import {
  decodeAwsJson,
  encodeAwsJson,
  encodeAwsJsonError,
  parseAwsJson,
  parseTarget,
} from '../../../../src/api/wire/aws-json.ts'
import { CLOUDTRAIL_MODEL } from '../../../../src/api/wire/cloudtrail.ts'
import { actionTable } from '../../../../src/api/wire/table.ts'
import { known, runApi } from '../../../kit/api.ts'
import { newBudget } from '../../../kit/budget.ts'
import { signedHeaders } from '../../../kit/signed.ts'

const { input } = known(actionTable(allActions).get('LookupEvents')).wire

describe('a target', () => {
  it.each([
    'com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents',
    'CloudTrail_20131101.LookupEvents',
  ])('is %s', (target) => {
    expect(parseTarget(target)).toBe('LookupEvents')
  })

  it.each([
    '',
    'LookupEvents',
    'CloudTrail_20131101.RunInstances',
    'CloudTrail_20131101.__proto__',
  ])('is not "%s"', (target) => {
    expect(() => parseTarget(target)).toThrow(/is not valid/)
  })
})

describe('parameters', () => {
  it('have times as seconds since the epoch', () => {
    expect(decodeAwsJson(input, { StartTime: 1_764_400_000.5, MaxResults: 5 })).toEqual({
      StartTime: new Date(1_764_400_000_500),
      MaxResults: 5,
    })
  })

  it.each([
    { StartTime: -1 },
    { StartTime: 1e300 },
    { StartTime: {} },
    { MaxResults: 'x' },
    { X: 1 },
  ])('are refused: %j', (parameters) => {
    expect(() => decodeAwsJson(input, parameters)).toThrow(/StartTime|MaxResults|X/)
  })

  it('are a JSON object', () => {
    expect(parseAwsJson('')).toEqual({})
    for (const body of ['[]', '1', 'null', '{', '"a"']) expect(() => parseAwsJson(body)).toThrow()
  })
})

it('answers with times as seconds since the epoch, and errors by their type', async () => {
  const output = { Events: [{ EventTime: new Date(1_764_400_000_000), Username: undefined }] }
  expect(await encodeAwsJson(output, newBudget())).toBe('{"Events":[{"EventTime":1764400000}]}')
  expect(encodeAwsJsonError({ code: 'AccessDenied', message: 'no' })).toBe(
    '{"__type":"AccessDeniedException","message":"no"}',
  )
})

it('has one action, which all transports answer', () => {
  expect(Object.keys(CLOUDTRAIL_MODEL.actions)).toEqual(['LookupEvents'])
})

it('answers a client of JSON in JSON, whatever is wrong', async () => {
  await using api = await runApi(allActions)
  const host = `127.0.0.1:${api.port}`
  const ask = async (target: string, headers: object) => {
    const answer = await fetch(api.url, {
      method: 'POST',
      body: '{}',
      headers: { 'x-amz-target': target, ...headers },
    })
    return [
      answer.status,
      answer.headers.get('content-type'),
      ((await answer.json()) as { readonly __type: string }).__type,
    ]
  }
  const type = 'application/x-amz-json-1.1'
  const signed = signedHeaders({ body: '{}', host })
  expect(await ask('CloudTrail_20131101.LookupEvents', {})).toEqual([
    ...[403, type, 'MissingAuthenticationToken'],
  ])
  expect(await ask('CloudTrail_20131101.RunInstances', signed)).toEqual([
    400,
    type,
    'InvalidAction',
  ])
})
