/** Names of destinations, and formats. */
import { expect, test } from 'vitest'
import { fieldsOf, isLogGroup, parseS3Arn } from '../../../src/model/flow-log.ts'

test.each([
  ['web', true],
  ['/aws/vpc', true],
  ['a/../b', false],
  ['..', false],
  ['a//b', false],
  ['', false],
  ['a b', false],
  ['x\u0000', false],
])('whether %j names a group', (name, is) => expect(isLogGroup(name)).toBe(is))

const field = (name: string) => `\u0024{${name}}`

test('formats are made of known fields', () => {
  const [version, vpc] = ['version', 'vpc-id'].map(field)
  expect(fieldsOf(`${version} ${vpc}`)).toEqual(['version', 'vpc-id'])
  for (const bad of ['', field('tcp-flags'), 'version', `${version}  ${vpc}`])
    expect(fieldsOf(bad)).toBeUndefined()
})

test.each(['arn:aws:s3:::logs', 'arn:aws:s3:::logs/', 'arn:aws:s3:::logs/a/b'])(
  '%s names a bucket',
  (arn) => expect(parseS3Arn(arn)).toMatchObject({ bucket: 'logs' }),
)
test.each([
  'logs',
  'arn:aws:s3:::',
  'arn:aws:s3:::l/..',
  'arn:aws:s3:::logs/../x',
  'arn:aws:s3:::LOGS',
])('%s names none', (arn) => expect(parseS3Arn(arn)).toBeUndefined())
