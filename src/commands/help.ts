/** `koukan help`: the frame's own command, run with the same copy of the frame as the others. */
import { commands } from '@oclif/plugin-help';
import type { Command } from '../lib/cli/oclif.ts';

const help: Command.Class = commands.help;

export default help;
