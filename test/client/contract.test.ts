/** What the client promises, against a real broker: this build, or any Kafka that LOGRAFT_TEST_BOOTSTRAP names. */
import t from 'tap'
import { bootstrap } from '../wire/broker.ts'
import { contract } from './contract/contract.ts'
import { stageAt } from './contract/stage.ts'

await contract(t, stageAt(await bootstrap(t)))
