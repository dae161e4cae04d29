/**
 * The parts of oclif that commands are made of, each from its own module: the package as a whole loads a third more (its check of the version
 * of Node alone brings fifty files), which every start of every command would pay for.
 */
export * as Args from '@oclif/core/args';
export { Command } from '@oclif/core/command';
export * as Errors from '@oclif/core/errors';
export * as Flags from '@oclif/core/flags';
export { flush } from '@oclif/core/flush';
export { run } from '@oclif/core/run';
