/**
 * `api-client.ts LAB HOST ATTACK`: one attack upon the API, in a process of its own, because what
 * it costs the client is not to be taken for what the neighbours notice. Prints what it got.
 */
import { openLab } from '../../lab/lab.ts'
import { clientOf, labCredentials } from '../api.ts'
import { apiAttacks } from './api-attacks.ts'

const [lab = '', host = '', name = ''] = process.argv.slice(2)
const attack = apiAttacks.find((one) => one.name === name)
if (attack === undefined) throw new Error(`there is no attack "${name}"`)
const opened = await openLab(lab)
const { endpoint } = opened.host(host)
const client = clientOf(opened, host, await labCredentials(opened))
process.stdout.write(await attack.run({ endpoint, client }))
process.exit(0)
