/**
 * The AWS SDKs for Go as Debian packages them, compiled here. Terraform, Packer and Prometheus are
 * made with them.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { type ClientCloud, openClientCloud } from '../kit/client-cloud.ts'
import { debianVersion, type Outcome, reportOf } from '../kit/compatibility.ts'

const STORY_MS = 900_000
/** Waiters of version 1 look every 15 seconds. */
const ABOUT = 'An instance and its network, with waiters, pages and errors.'

let at: ClientCloud
beforeAll(async () => {
  at = await openClientCloud('go')
})
afterAll(() => at?.[Symbol.asyncDispose]())

describe.each([
  ['AWS SDK for Go', 'golang-github-aws-aws-sdk-go-dev', 'v1'],
  ['AWS SDK for Go v2', 'golang-github-aws-aws-sdk-go-v2-dev', 'v2'],
])('%s', (client, debian, directory) => {
  const report = reportOf(client, () => debianVersion(debian), ABOUT)
  report.passes(
    'the whole story',
    async () => {
      const source = join(import.meta.dirname, 'go', directory, 'main.go')
      const program = join(at.cloud.dir, directory)
      const built = await at.run('go', ['build', '-o', program, source], {
        ...{ GO111MODULE: 'off', GOPATH: '/usr/share/gocode' },
        ...{ GOCACHE: join(at.cloud.dir, 'go-cache'), GOFLAGS: '-trimpath' },
      })
      expect(built.exitCode, built.stderr).toBe(0)
      const args = [at.cloud.credentials.endpoint, at.image]
      const steps = (await at.ask(program, args)) as readonly Outcome[]
      report.add(steps.map(([what, said]) => ({ what, said })))
      expect(steps.filter(([, said]) => said !== null)).toEqual([])
    },
    STORY_MS,
  )
})
