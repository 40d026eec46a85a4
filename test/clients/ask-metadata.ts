/**
 * A program for the network of an instance: asks the metadata service with AWS's own client.
 * Arguments: the client's settings as JSON, and paths. Prints what each says, or the error.
 */
import { MetadataService } from '@aws-sdk/ec2-metadata-service'

const [settings = '{}', ...paths] = process.argv.slice(2)
const httpOptions = { timeout: 5000 }
const service = new MetadataService({ retries: 0, httpOptions, ...JSON.parse(settings) })
const said: unknown[] = []
for (const path of paths)
  said.push(await service.request(path, {}).catch((error) => ({ error: String(error.message) })))
console.log(JSON.stringify(said))
