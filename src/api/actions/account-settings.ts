/** Settings of the account that clients read before they launch: GetEbsEncryptionByDefault, GetSerialConsoleAccessStatus. */
import type {
  GetEbsEncryptionByDefaultResult,
  GetSerialConsoleAccessStatusResult,
} from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { Action } from '../action.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { dryRunShape } from '../schemas.ts'

const schema = z.strictObject(dryRunShape)

/** GetEbsEncryptionByDefault: volumes are not encrypted. */
export const getEbsEncryptionByDefault: Action = {
  name: 'GetEbsEncryptionByDefault',
  async run(call): Promise<GetEbsEncryptionByDefaultResult> {
    parseInput(schema, call.input)
    dryRun(call)
    return { EbsEncryptionByDefault: false }
  },
}

/** GetSerialConsoleAccessStatus: consoles are the operator's (`atoll console`). */
export const getSerialConsoleAccessStatus: Action = {
  name: 'GetSerialConsoleAccessStatus',
  async run(call): Promise<GetSerialConsoleAccessStatusResult> {
    parseInput(schema, call.input)
    dryRun(call)
    return { SerialConsoleAccessEnabled: false }
  },
}
