/**
 * The packages that are absent on purpose (vendor/README.md) are absent for those who would load
 * them.
 */
import { createRequire } from 'node:module'
import { expect, it } from 'vitest'

const dockerode = createRequire(import.meta.resolve('dockerode'))
const dockerModem = createRequire(dockerode.resolve('docker-modem'))

it.each([
  ['ssh2', dockerModem],
  ['@grpc/grpc-js', dockerode],
  ['@grpc/proto-loader', dockerode],
])('dockerode gets the stand-in of %s', (name, require) => {
  expect(require(name)).toMatchObject({ name, version: expect.stringMatching(/\+absent$/) })
})
