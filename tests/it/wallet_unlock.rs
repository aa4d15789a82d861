//! From a key file to what signs, and every way in which it does not get there.

use grail_console::wallet::{self, Scheme};

use crate::wallet_public::{ED25519, MNEMONIC, PLAIN, Wallets, address};

#[test]
fn a_plain_hotkey_signs_under_its_address() {
    let wallets = Wallets::practice();
    for (name, expected, scheme) in [
        ("plain", PLAIN, Scheme::Sr25519),
        ("mnemonic", MNEMONIC, Scheme::Sr25519),
        ("ed25519", ED25519, Scheme::Ed25519),
    ] {
        let signer = wallet::unlock(&wallets.find(name).unwrap(), None).unwrap();
        assert_eq!((signer.hotkey(), signer.scheme()), (address(expected), scheme));
    }
}
