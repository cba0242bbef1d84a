// Loaded before a demo's application: it ends with the process that started it, also when that one was killed hard.
process.on('disconnect', () => process.exit());
process.channel?.unref();
