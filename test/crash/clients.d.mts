/** Types of `clients.mjs`, as far as tests use it. */
export function mayBeCancelled(status: number | undefined): boolean;
