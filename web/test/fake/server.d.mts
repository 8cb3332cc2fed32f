/** Starts the fake server. */
export function startFake(options?: { port?: number; rate?: number; mode?: string; seed?: number }): Promise<{ url: string; close(): Promise<void> }>;
