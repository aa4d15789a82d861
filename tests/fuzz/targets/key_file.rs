#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    grail_console_fuzz::key_file::run(data);
});
