"""Where the server answers: one list for the routes and for their description."""

LIVE_PATH = "/v1/live/sessions"
ONE_PATH = LIVE_PATH + "/{session_id}"
REALTIME_PATH = "/v1/realtime"
CALLS_PATH = f"{REALTIME_PATH}/calls"
ONE_CALL_PATH = CALLS_PATH + "/{call_id}"
SECRETS_PATH = f"{REALTIME_PATH}/client_secrets"
OPENAPI_PATH = "/openapi.json"
TELEPHONY = ("accept", "refer", "reject")
"""What is asked of calls over SIP, which do not come here."""
