"""Banking77: which of 77 things does a customer of a bank want?"""

from harness.task import Hub, Task

LABELS = tuple(
    """
    card_arrival card_linking exchange_rate card_payment_wrong_exchange_rate extra_charge_on_statement
    pending_cash_withdrawal fiat_currency_support card_delivery_estimate automatic_top_up card_not_working
    exchange_via_app lost_or_stolen_card age_limit pin_blocked contactless_not_working
    top_up_by_bank_transfer_charge pending_top_up cancel_transfer top_up_limits wrong_amount_of_cash_received
    card_payment_fee_charged transfer_not_received_by_recipient supported_cards_and_currencies getting_virtual_card
    card_acceptance top_up_reverted balance_not_updated_after_cheque_or_cash_deposit card_payment_not_recognised
    edit_personal_details why_verify_identity unable_to_verify_identity get_physical_card visa_or_mastercard
    topping_up_by_card disposable_card_limits compromised_card atm_support direct_debit_payment_not_recognised
    passcode_forgotten declined_cash_withdrawal pending_card_payment lost_or_stolen_phone request_refund
    declined_transfer Refund_not_showing_up declined_card_payment pending_transfer terminate_account card_swallowed
    transaction_charged_twice verify_source_of_funds transfer_timing reverted_card_payment? change_pin
    beneficiary_not_allowed transfer_fee_charged receiving_money failed_transfer transfer_into_account verify_top_up
    getting_spare_card top_up_by_cash_or_cheque order_physical_card virtual_card_not_working
    wrong_exchange_rate_for_cash_withdrawal get_disposable_virtual_card top_up_failed
    balance_not_updated_after_bank_transfer cash_withdrawal_not_recognised exchange_charge top_up_by_card_charge
    activate_my_card cash_withdrawal_charge card_about_to_expire apple_pay_or_google_pay verify_my_identity
    country_support
    """.split()  # noqa: SIM905 (a list would take 77 lines)
)
PHRASES = tuple(label.rstrip("?").replace("_", " ").lower() for label in LABELS)

TASK = Task(
    name="banking77",
    source="Casanueva et al. 2020, https://arxiv.org/abs/2003.04807",
    kind="classification",
    text=("text",),
    target="label",
    labels=LABELS,
    templates=("Query: {text}\nIntent:", "A customer of a bank asks: {text}\nThe customer's topic is:"),
    verbalizers=tuple(f" {phrase}" for phrase in PHRASES),
    descriptions=tuple(f"The customer asks about: {phrase}." for phrase in PHRASES),
    metrics=("accuracy", "macro_f1"),
    hub=Hub("PolyAI/banking77", test="test"),
)
