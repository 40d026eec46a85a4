/**
 * `api-client.ts LAB HOST ATTACK`: one attack on the API in its own process, so that the attacker's
 * own load does not delay the measurements. Prints its result.
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
