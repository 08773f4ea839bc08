#!/usr/bin/env node
/** The executable. Commands are declared in program.ts; each one's code is loaded when it runs. */
import { run } from './program.ts'

process.exitCode = await run(process.argv.slice(2))
