/** Starts the development stream. */
export function startDevStream(options?: { port?: number; rate?: number; mode?: string; seed?: number }): Promise<{ url: string; close(): Promise<void> }>;
